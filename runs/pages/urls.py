"""The addresses of these pages."""

from django.urls import path

from runs.pages.views import actions, compare, experiment, experiments, home, keeping, models, ranks, run

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
    path("w/<str:ws>/runs/<str:run_id>/resubmit", keeping.submit_again, name="run-resubmit"),
    path("w/<str:ws>/runs/<str:run_id>/register", keeping.register, name="run-register"),
    path("w/<str:ws>/runs/<str:run_id>/", run.run_page, name="run"),
    path("w/<str:ws>/runs/<str:run_id>/<slug:tab>/", run.run_page, name="run-tab"),
    path("w/<str:ws>/runs/<str:run_id>/<slug:tab>/<slug:name>", run.tab_data, name="run-data"),
    path("w/<str:ws>/models/", models.models, name="models"),
    path("w/<str:ws>/models/<str:name>/", models.model, name="model"),
    path("w/<str:ws>/models/<str:name>/<int:version>/", models.version, name="model-version"),
    path("w/<str:ws>/models/<str:name>/<int:version>/download", models.download, name="model-download"),
    path("w/<str:ws>/models/<str:name>/<int:version>/edit", models.edit_version, name="model-edit"),
    path("w/<str:ws>/models/<str:name>/<int:version>/delete", models.delete_version, name="model-delete"),
]
