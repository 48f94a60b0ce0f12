"""Dates in figures: Django's own Italian ones write days and months with a capital letter, as Italian does not.

The names are Django's: docs.djangoproject.com, "Creating custom format files".
"""

DATE_FORMAT = "d/m/Y"
DATETIME_FORMAT = "d/m/Y H:i"
