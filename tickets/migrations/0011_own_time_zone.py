"""A new account begins with the site's time zone. The tables stay as they are."""

from __future__ import annotations

from django.db import migrations, models

import tickets.models.people


class Migration(migrations.Migration):
    dependencies = [("tickets", "0010_learned_until")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="user",
                    name="time_zone",
                    field=models.CharField(
                        default=tickets.models.people.site_time_zone,
                        max_length=64,
                        validators=[tickets.models.people.validate_time_zone],
                    ),
                ),
            ]
        ),
    ]
