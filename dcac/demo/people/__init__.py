"""Who is in the picture: identity is body, hair, clothes and bag."""
