"""The REST API: handlers, their models, and the document that is made from both."""
