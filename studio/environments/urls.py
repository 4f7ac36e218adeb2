"""Environments' pages. What is no environment's name stands behind "-", which can't be one."""

from django.urls import path

from studio.environments import views

urlpatterns = [
    path("w/<str:ws>/environments/", views.environments, name="environments"),
    path("w/<str:ws>/environments/-/builds/", views.builds, name="environment-builds"),
    path("w/<str:ws>/environments/-/builds/<int:build_id>/", views.build, name="environment-build"),
    path("w/<str:ws>/environments/-/builds/<int:build_id>/log", views.build_log, name="environment-build-log"),
    path("w/<str:ws>/environments/-/images/", views.images, name="environment-images"),
    path("w/<str:ws>/environments/-/images/prune", views.prune, name="environment-prune"),
    path("w/<str:ws>/environments/<str:name>/", views.environment, name="environment"),
    path("w/<str:ws>/environments/<str:name>/compare/", views.compare, name="environment-compare"),
    path("w/<str:ws>/environments/<str:name>/build", views.build_now, name="environment-build-now"),
    path("w/<str:ws>/environments/<str:name>/resolve-anew", views.resolve_anew, name="environment-resolve-anew"),
]
