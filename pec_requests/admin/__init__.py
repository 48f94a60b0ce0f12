"""The office's pages about PEC: on the member's page, the requests, for one and for many, what is asked of the
provider, and differences.
"""

from pec_requests.admin import batches, differences, members, operations, requests

__all__ = ["batches", "differences", "members", "operations", "requests"]
