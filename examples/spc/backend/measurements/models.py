"""Characteristics, their measurements, and the results of jobs: baselines, charts, signals and plans."""

from datetime import timedelta
from math import isfinite

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from spc.charts import INDIVIDUALS, XBAR_R
from spc.constants import LARGEST

# Sums and ranges of values within this limit are finite, and so are the charts.
LARGEST_VALUE = 1e12
# A device's clock may be a little fast. But a measurement far in the future would stay the newest one until then.
CLOCK_TOLERANCE = timedelta(minutes=5)


def validate_value(value: float) -> None:
    if not isfinite(value) or abs(value) > LARGEST_VALUE:
        raise ValidationError(f"{value} is not a number between -1e12 and 1e12.")


def validate_time(value) -> None:
    if value > timezone.now() + CLOCK_TOLERANCE:
        raise ValidationError(f"{value.isoformat()} lies in the future; is the device's clock right?")


class Characteristic(models.Model):
    """A property of a product that has to stay within limits, such as the diameter of a shaft."""

    name = models.CharField(max_length=100, unique=True)
    unit = models.CharField(max_length=20)
    target = models.FloatField(validators=[validate_value])
    lower_limit = models.FloatField(validators=[validate_value], help_text="Lower specification limit, in the unit.")
    upper_limit = models.FloatField(validators=[validate_value], help_text="Upper specification limit, in the unit.")
    subgroup_size = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST)],
        help_text="Measurements per point of the chart; 1 makes a chart of individual values.",
    )
    sampling_interval = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(24 * 60)],
        help_text="Minutes from one sample to the next, for the plan.",
    )
    sampling_minutes = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 60)],
        help_text="An inspector's work for one sample, in minutes.",
    )
    gauge = models.CharField(
        max_length=50,
        blank=True,
        help_text="Characteristics that name the same gauge can't be measured at the same time.",
    )
    simulated = models.BooleanField(
        default=False,
        help_text="Fed by the simulated gauge: a demonstration, whose old measurements are deleted.",
    )

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
    value = models.FloatField(validators=[validate_value])
    measured_at = models.DateTimeField(default=timezone.now, validators=[validate_time])
    simulated = models.BooleanField(default=False, editable=False, help_text="Made up by the simulated gauge.")

    class Meta:
        ordering = ["-measured_at", "-id"]
        indexes = [models.Index(fields=["characteristic", "measured_at"], name="by_characteristic_and_time")]

    def __str__(self) -> str:
        return f"{self.value} {self.characteristic.unit}"


class Baseline(models.Model):
    """The values of a characteristic while it was in control. They determine its control limits.

    It is created as soon as there is enough data. If you delete it, it is created again from the newest data.
    """

    characteristic = models.OneToOneField(Characteristic, on_delete=models.CASCADE, related_name="baseline")
    subgroup_size = models.PositiveSmallIntegerField()
    center = models.FloatField()
    spread = models.FloatField(help_text="Mean range, or mean moving range.")
    until = models.DateTimeField(help_text="Its newest measurement. Points after it raise signals.")
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.characteristic.name} until {self.until:%Y-%m-%d %H:%M:%S}"


class Chart(models.Model):
    """The newest control charts of a characteristic, in the form of the API."""

    characteristic = models.OneToOneField(Characteristic, on_delete=models.CASCADE, related_name="chart")
    kind = models.CharField(max_length=20, choices={XBAR_R: "X-bar and R", INDIVIDUALS: "Individuals"})
    computed_at = models.DateTimeField(default=timezone.now)
    measurements = models.PositiveIntegerField(help_text="How many there were.")
    charts = models.JSONField(help_text="Two charts, each with its limits and points.")

    def __str__(self) -> str:
        return f"{self.characteristic.name} at {self.computed_at:%Y-%m-%d %H:%M:%S}"


class Signal(models.Model):
    """A point that completed the pattern of a rule: the process may be out of control. Each signal is raised once, even
    if the chart is computed again."""

    characteristic = models.ForeignKey(Characteristic, on_delete=models.CASCADE, related_name="signals")
    chart = models.CharField(max_length=20)
    rule = models.CharField(max_length=10)
    at = models.DateTimeField(help_text="When the point was measured.")
    value = models.FloatField(help_text="What the chart shows at this point.")
    raised_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["characteristic", "chart", "rule", "at"], name="raised_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} on {self.chart} of {self.characteristic.name}"


class CapacityPlan(models.Model):
    """The plan of the inspectors' samples. The newest plan is used. Some older ones are kept for comparison."""

    computed_at = models.DateTimeField(default=timezone.now)
    horizon_hours = models.PositiveSmallIntegerField()
    inspectors = models.PositiveSmallIntegerField()
    jobs = models.JSONField(help_text="In order of their start.")
    late = models.PositiveIntegerField(help_text="Jobs that end after the next sample of the kind is due.")

    class Meta:
        ordering = ["-computed_at", "-id"]

    @property
    def capacity_per_hour(self) -> int:
        """The minutes of work that the inspectors can do in an hour."""
        return 60 * self.inspectors

    def __str__(self) -> str:
        return f"{len(self.jobs)} jobs from {self.computed_at:%Y-%m-%d %H:%M:%S}"
