"""The process: gunicorn with one worker of many threads, and the mail catcher inside it."""

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from aruba_sandbox import smtp

THREADS = 64


class SandboxServer(BaseApplication):  # type: ignore[misc]
    """Web and mail together. The mail socket is bound before the worker starts, so a taken port is known at once."""

    def __init__(self) -> None:
        self.mail_listener = smtp.listen(settings.SANDBOX_HOST, settings.SMTP_PORT)
        super().__init__()

    def load_config(self) -> None:
        """What gunicorn is told; it reads no file and no command line."""
        options = {
            "bind": f"{settings.SANDBOX_HOST}:{settings.SANDBOX_PORT}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "keepalive": 75,
            "graceful_timeout": 1,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": self.start_mail,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        """The web application, in the worker."""
        from aruba_sandbox.wsgi import application

        return application

    def start_mail(self, worker: Worker) -> None:
        """Catch mail in the worker, and say that all is ready."""
        smtp.Catcher(self.mail_listener).start()
        if worker.age == 1:
            print(f"Aruba PEC (sandbox): {settings.SANDBOX_URL}, SMTP {settings.SMTP_PORT}", flush=True)  # noqa: T201
