from django.contrib import admin

from .models import Characteristic, Measurement


@admin.register(Characteristic)
class CharacteristicAdmin(admin.ModelAdmin):
    list_display = ["name", "unit", "target", "lower_limit", "upper_limit"]


@admin.register(Measurement)
class MeasurementAdmin(admin.ModelAdmin):
    list_display = ["characteristic", "value", "measured_at"]
    list_filter = ["characteristic"]
