"""The service: a fitted model behind REST, with a store that it learns from. `app.create_app(settings)` is the seam."""
