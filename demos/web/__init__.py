"""The page: click objects on any frame, watch the masks stream in, take everything away."""
