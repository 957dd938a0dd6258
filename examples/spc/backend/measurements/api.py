"""The API: characteristics, measurements, and results of jobs. Requests compute nothing."""

from django.db import models
from rest_framework import mixins, permissions, serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import CapacityPlan, Characteristic, Chart, Measurement, Signal
from .tasks import recompute_later


class Number(serializers.FloatField):
    """A float. An integer that is too large for a float is an error of the client."""

    def to_internal_value(self, data):
        try:
            return super().to_internal_value(data)
        except OverflowError:
            self.fail("invalid")


class NumbersSerializer(serializers.ModelSerializer):
    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {models.FloatField: Number}


class CharacteristicSerializer(NumbersSerializer):
    class Meta:
        model = Characteristic
        fields = "__all__"

    def validate(self, attrs: dict) -> dict:
        def value(name: str) -> float:
            return attrs[name] if name in attrs else getattr(self.instance, name)

        if value("lower_limit") >= value("upper_limit"):
            raise serializers.ValidationError({"lower_limit": "Must be below upper_limit."})
        return attrs


class MeasurementSerializer(NumbersSerializer):
    class Meta:
        model = Measurement
        fields = "__all__"


class ChartSerializer(serializers.ModelSerializer):
    class Meta:
        model = Chart
        fields = ["characteristic", "kind", "computed_at", "measurements", "charts"]


class SignalSerializer(serializers.ModelSerializer):
    class Meta:
        model = Signal
        fields = "__all__"


class PlanSerializer(serializers.ModelSerializer):
    class Meta:
        model = CapacityPlan
        fields = ["computed_at", "horizon_hours", "inspectors", "capacity_per_hour", "jobs", "late"]


class OfCharacteristicMixin:
    """Lists take `?characteristic=<id>`."""

    def get_queryset(self):
        queryset = super().get_queryset()
        wanted = self.request.query_params.get("characteristic")
        if wanted is None:
            return queryset
        if not (wanted.isascii() and wanted.isdigit()):
            raise ValidationError({"characteristic": f"'{wanted}' is not the id of a characteristic."})
        return queryset.filter(characteristic=wanted)


class CharacteristicViewSet(viewsets.ModelViewSet):
    queryset = Characteristic.objects.all()
    serializer_class = CharacteristicSerializer

    def perform_update(self, serializer: CharacteristicSerializer) -> None:
        recompute_later(serializer.save().pk)


class MeasurementViewSet(OfCharacteristicMixin, viewsets.ModelViewSet):
    """Anybody can add a measurement, because gauges and sampling devices don't log in. Everything else is read-only
    without a login."""

    queryset = Measurement.objects.all()
    serializer_class = MeasurementSerializer
    # JSON only: with forms, a page of another site could post with its visitors' browsers.
    parser_classes = [JSONParser]

    def get_authenticators(self):
        # A browser with a login to the admin is treated like a device.
        if self.request is not None and self.request.method == "POST":
            return []
        return super().get_authenticators()

    def get_permissions(self):
        return [permissions.AllowAny()] if self.action == "create" else super().get_permissions()

    def perform_create(self, serializer: MeasurementSerializer) -> None:
        recompute_later(serializer.save().characteristic_id)

    def perform_update(self, serializer: MeasurementSerializer) -> None:
        before = serializer.instance.characteristic_id
        after = serializer.save().characteristic_id
        for characteristic in {before, after}:
            recompute_later(characteristic)

    def perform_destroy(self, instance: Measurement) -> None:
        instance.delete()
        recompute_later(instance.characteristic_id)


class SignalViewSet(OfCharacteristicMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = Signal.objects.all()
    serializer_class = SignalSerializer


class ChartView(APIView):
    permission_classes = [permissions.AllowAny]

    def get(self, request: Request, characteristic: int) -> Response:
        of = get_object_or_404(Characteristic.objects.select_related("chart"), pk=characteristic)
        if not hasattr(of, "chart"):
            raise NotFound(
                f"No chart of '{of.name}' has been computed yet; it takes 2 subgroups of {of.subgroup_size}."
            )
        return Response(ChartSerializer(of.chart).data)


class PlanView(APIView):
    permission_classes = [permissions.AllowAny]

    def get(self, request: Request) -> Response:
        plan = CapacityPlan.objects.first()
        if plan is None:
            raise NotFound("No plan has been computed yet; the worker of the queue 'aps' computes one every minute.")
        return Response(PlanSerializer(plan).data)
