class ServicesError(Exception):
    """Something a person has to know; the message says what to do and is shown without a traceback."""
