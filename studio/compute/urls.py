"""Compute's pages."""

from django.urls import path

from studio.compute import views

urlpatterns = [
    path("w/<str:ws>/compute/", views.computes, name="computes"),
    path("w/<str:ws>/compute/new", views.new_compute, name="new-compute"),
    path("w/<str:ws>/compute/<str:name>/", views.compute, name="compute"),
    path("w/<str:ws>/compute/<str:name>/change", views.change_compute, name="change-compute"),
    path("w/<str:ws>/compute/<str:name>/delete", views.delete_compute, name="delete-compute"),
    path("w/<str:ws>/queue/", views.queue, name="queue"),
    path("w/<str:ws>/runs/<str:run_id>/usage", views.run_usage, name="run-usage"),
]
