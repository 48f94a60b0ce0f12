"""The office's pages about PEC: on the member's page, the requests, what is asked of the provider, and differences."""

from pec_requests.admin import differences, members, operations, requests

__all__ = ["differences", "members", "operations", "requests"]
