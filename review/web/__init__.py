"""The web server: pages, forms, and what guards them."""
