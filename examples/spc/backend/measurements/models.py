"""What is measured, and the measurements: the raw material of control charts."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone


class Characteristic(models.Model):
    """A property of a product that is kept under control, such as a shaft's diameter."""

    name = models.CharField(max_length=100, unique=True)
    unit = models.CharField(max_length=20)
    target = models.FloatField()
    lower_limit = models.FloatField(help_text="Lower specification limit, in the unit.")
    upper_limit = models.FloatField(help_text="Upper specification limit, in the unit.")
    subgroup_size = models.PositiveSmallIntegerField(default=5, validators=[MinValueValidator(1)])

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(lower_limit__lt=models.F("upper_limit")),
                name="limits_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]"


class Measurement(models.Model):
    """One value of a characteristic, in its unit."""

    characteristic = models.ForeignKey(Characteristic, on_delete=models.CASCADE, related_name="measurements")
    value = models.FloatField()
    measured_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-measured_at", "-id"]
        indexes = [models.Index(fields=["characteristic", "measured_at"], name="by_characteristic_and_time")]

    def __str__(self) -> str:
        return f"{self.value} {self.characteristic.unit}"
