"""The sandbox as a Django application."""

from django.apps import AppConfig


class ArubaSandboxConfig(AppConfig):
    """Everything the sandbox keeps is in this one application."""

    name = "aruba_sandbox"
    label = "aruba_sandbox"
    verbose_name = "Aruba PEC (sandbox)"
    default_auto_field = "django.db.models.BigAutoField"
