"""Where and by what the picture is taken: the shortcuts, background, occluders and camera."""
