"""What is tried before a long training starts: its first steps at full size, and all that comes after it on a slice."""
