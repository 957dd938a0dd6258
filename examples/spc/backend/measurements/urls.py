from django.urls import path
from rest_framework.routers import DefaultRouter

from .api import CharacteristicViewSet, ChartView, MeasurementViewSet, PlanView, SignalViewSet

router = DefaultRouter()
router.register("characteristics", CharacteristicViewSet)
router.register("measurements", MeasurementViewSet)
router.register("signals", SignalViewSet)

urlpatterns = [
    path("charts/<int:characteristic>/", ChartView.as_view()),
    path("plan/", PlanView.as_view()),
    *router.urls,
]
