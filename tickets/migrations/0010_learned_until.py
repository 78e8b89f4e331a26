from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tickets", "0009_key_revoked"),
    ]

    operations = [
        migrations.AddField(
            model_name="registeredmodel",
            name="learned_until",
            field=models.DateTimeField(null=True),
        ),
    ]
