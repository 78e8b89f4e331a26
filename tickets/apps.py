from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from triage import any_case


class TicketsConfig(AppConfig):
    name = "tickets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tickets import checks  # noqa: F401  (registers them)
        from tickets.first_rows import ensure_first_rows

        connection_created.connect(any_case.teach, dispatch_uid="any case")
        post_migrate.connect(ensure_first_rows, sender=self, dispatch_uid="first rows")
