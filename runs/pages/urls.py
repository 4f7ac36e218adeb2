"""The addresses of these pages."""

from django.urls import path

from runs.pages.views import experiments, home, ranks, run

urlpatterns = [
    path("", home.start, name="start"),
    path("w/<str:ws>/", home.home, name="home"),
    path("w/<str:ws>/experiments/", experiments.experiments, name="experiments"),
    path("w/<str:ws>/runs/<str:run_id>/ranks", ranks.ranks, name="run-ranks"),
    path("w/<str:ws>/runs/<str:run_id>/", run.run_page, name="run"),
    path("w/<str:ws>/runs/<str:run_id>/<slug:tab>/", run.run_page, name="run-tab"),
    path("w/<str:ws>/runs/<str:run_id>/<slug:tab>/<slug:name>", run.tab_data, name="run-data"),
]
