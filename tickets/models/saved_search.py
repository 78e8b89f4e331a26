"""A search that its owner wants to find again."""

from __future__ import annotations

from django.db import models

from tickets.models.people import User


class SavedSearch(models.Model):
    """query: the query string of its address."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_searches")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=4_000)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_saved_search_a_name")]

    def __str__(self) -> str:
        return self.name
