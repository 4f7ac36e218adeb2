"""The addresses of these pages."""

from django.urls import path

from runs.pages.views import actions, compare, experiment, experiments, home, ranks, run

urlpatterns = [
    path("", home.start, name="home"),
    path("w/<str:ws>/", home.home, name="workspace-home"),
    path("w/<str:ws>/experiments/", experiments.experiments, name="experiments"),
    path("w/<str:ws>/runs/<str:run_id>/ranks", ranks.ranks, name="run-ranks"),
    path("w/<str:ws>/experiments/<path:name>/figure", experiment.experiment_figure, name="experiment-figure"),
    path("w/<str:ws>/experiments/<path:name>/bulk", experiment.bulk, name="experiment-bulk"),
    path("w/<str:ws>/experiments/<path:name>/edit", experiment.edit_experiment, name="experiment-edit"),
    path("w/<str:ws>/experiments/<path:name>/", experiment.experiment_page, name="experiment"),
    path("w/<str:ws>/compare/", compare.compare, name="compare"),
    path("w/<str:ws>/compare/figure", compare.compare_figure, name="compare-figure"),
    path("w/<str:ws>/runs/<str:run_id>/edit", actions.edit, name="run-edit"),
    path("w/<str:ws>/runs/<str:run_id>/cancel", actions.cancel, name="run-cancel"),
    path("w/<str:ws>/runs/<str:run_id>/delete", actions.delete, name="run-delete"),
    path("w/<str:ws>/runs/<str:run_id>/", run.run_page, name="run"),
    path("w/<str:ws>/runs/<str:run_id>/<slug:tab>/", run.run_page, name="run-tab"),
    path("w/<str:ws>/runs/<str:run_id>/<slug:tab>/<slug:name>", run.tab_data, name="run-data"),
]
