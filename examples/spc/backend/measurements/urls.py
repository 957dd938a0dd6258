from rest_framework.routers import DefaultRouter

from .api import CharacteristicViewSet, MeasurementViewSet

router = DefaultRouter()
router.register("characteristics", CharacteristicViewSet)
router.register("measurements", MeasurementViewSet)

urlpatterns = router.urls
