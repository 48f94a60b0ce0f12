"""What reading a table can end in, and the shape of its cells."""

from __future__ import annotations

from datetime import date

# Text as it stands in the file, or a real date of a spreadsheet.
Cell = str | date

# More columns than any register has: beyond, it is not a table of people.
MAX_COLUMNS = 500


class UnreadableFile(Exception):
    """The file cannot be read as a table at all. Its text is a sentence for whoever chose the file."""
