from rest_framework import serializers, viewsets

from .models import Characteristic, Measurement


class CharacteristicSerializer(serializers.ModelSerializer):
    class Meta:
        model = Characteristic
        fields = "__all__"

    def validate(self, attrs: dict) -> dict:
        def value(name: str) -> float:
            return attrs[name] if name in attrs else getattr(self.instance, name)

        if value("lower_limit") >= value("upper_limit"):
            raise serializers.ValidationError({"lower_limit": "Must be below upper_limit."})
        return attrs


class MeasurementSerializer(serializers.ModelSerializer):
    class Meta:
        model = Measurement
        fields = "__all__"


class CharacteristicViewSet(viewsets.ModelViewSet):
    queryset = Characteristic.objects.all()
    serializer_class = CharacteristicSerializer


class MeasurementViewSet(viewsets.ModelViewSet):
    queryset = Measurement.objects.all()
    serializer_class = MeasurementSerializer
