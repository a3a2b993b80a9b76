"""The web application: an HTTP API and a page. Finding and classifying faces is left to ``Recognizer``."""
