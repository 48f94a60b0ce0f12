"""The sandbox for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "aruba_sandbox.settings"

application = get_wsgi_application()
