"""The built-in demo: rendered pedestrians in four camera networks, and the two networks pre-trained on them."""
