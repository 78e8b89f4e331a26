"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from tickets.web import watching

urlpatterns = [
    path("", include("tickets.web.urls")),
    path("api/v1/", include("tickets.api.urls")),
    path("admin/", admin.site.urls),
    path("healthz", watching.healthz),
    path("readyz", watching.readyz),
    path("metrics", watching.metrics),
]

handler400 = "tickets.web.failures.bad_request"
handler500 = "tickets.web.failures.failed"
