"""The provider (Aruba PEC) on a developer's machine: its partner API, its holders' pages, its mail.

A process and a database of its own. It imports nothing from the portal, and nothing imports it.
"""
