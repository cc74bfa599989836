"""What every picture needs: the camera networks' looks, named random streams, paint and texture."""
