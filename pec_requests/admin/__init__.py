"""The office's pages about PEC: on the member's page, the requests, and what is asked of the provider."""

from pec_requests.admin import members, operations, requests

__all__ = ["members", "operations", "requests"]
