"""FastCGI: the HTTP requests that a web server hands to an application."""
