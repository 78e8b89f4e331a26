from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TicketsConfig(AppConfig):
    name = "tickets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tickets import checks  # noqa: F401  (registers them)
        from tickets.first_rows import ensure_first_rows

        post_migrate.connect(ensure_first_rows, sender=self, dispatch_uid="first rows")
