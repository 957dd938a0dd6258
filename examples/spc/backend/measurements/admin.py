from django.contrib import admin

from .models import Baseline, CapacityPlan, Characteristic, Chart, Measurement, Signal


@admin.register(Characteristic)
class CharacteristicAdmin(admin.ModelAdmin):
    list_display = ["name", "unit", "target", "lower_limit", "upper_limit", "subgroup_size", "simulated"]


@admin.register(Measurement)
class MeasurementAdmin(admin.ModelAdmin):
    list_display = ["characteristic", "value", "measured_at", "simulated"]
    list_filter = ["characteristic", "simulated"]
    list_select_related = ["characteristic"]


class ComputedAdmin(admin.ModelAdmin):
    """Results of jobs are read-only. They can be deleted; then the job computes them again."""

    list_select_related = True

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Baseline)
class BaselineAdmin(ComputedAdmin):
    list_display = ["characteristic", "subgroup_size", "center", "spread", "until"]


@admin.register(Chart)
class ChartAdmin(ComputedAdmin):
    list_display = ["characteristic", "kind", "measurements", "computed_at"]


@admin.register(Signal)
class SignalAdmin(ComputedAdmin):
    list_display = ["characteristic", "rule", "chart", "at", "value", "raised_at"]
    list_filter = ["characteristic", "rule"]


@admin.register(CapacityPlan)
class CapacityPlanAdmin(ComputedAdmin):
    list_display = ["computed_at", "horizon_hours", "inspectors", "late"]
