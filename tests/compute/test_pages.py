"""Compute's pages, as people of each role see them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from studio.compute import placing
from studio.compute.models import ComputeTarget, UsageSample


@pytest.fixture
def olga(client, owner):
    client.force_login(owner)
    return client


def text(response):
    return response.content.decode()


def test_the_list_shows_local_before_anything_was_created(olga):
    page = text(olga.get("/w/lab/compute/"))
    assert "This machine" in page
    assert "New target" in page


def test_a_cluster_made_in_the_form_takes_runs_at_once(olga, lab):
    form = {"name": "cpu", "type": "AmlCompute", "vm_size": "STANDARD_D2_V2", "min_nodes": "0", "max_nodes": "2"}
    page = text(olga.post("/w/lab/compute/new", form, follow=True))
    assert "cpu can take runs now." in page
    assert ComputeTarget.objects.get(name="cpu").idle_seconds == 120


def test_what_is_wrong_in_the_form_is_said_and_what_was_typed_is_kept(olga):
    response = olga.post("/w/lab/compute/new", {"name": "my cluster!", "type": "AmlCompute", "max_nodes": "2"})
    assert response.status_code == 400
    assert "can&#x27;t name a compute target" in text(response)
    assert "my cluster!" in text(response)


def test_a_size_with_gpus_is_refused_where_there_are_none(olga):
    form = {"name": "gpu", "type": "AmlCompute", "vm_size": "STANDARD_NC6", "max_nodes": "1", "backend": "process"}
    page = text(olga.post("/w/lab/compute/new", form))
    assert "STANDARD_NC6 has 1 GPU; this machine has none." in page


def test_the_queue_page_says_for_each_run_its_position_and_the_reason(olga, lab, cluster):
    cluster(max_nodes=1)
    for run_id in ("first", "second", "third"):
        placing.place(run_id, lab.pk, "cpu", label=f"the {run_id} run")
    page = text(olga.get("/w/lab/queue/"))
    assert "the first run" in page.split("Running")[1]
    assert "Next on cpu: needs 1 node, 0 of 1 idle, 1 node busy." in page
    assert "Behind 1 run on cpu." in page
    fragment = text(olga.get("/w/lab/queue/", headers={"HX-Request": "true"}))
    assert "<html" not in fragment


def test_the_page_of_a_target_shows_nodes_timeline_and_what_a_node_really_gets(olga, lab, cluster):
    cluster(vm_size="STANDARD_D14_V2", max_nodes=1)
    placing.place("a", lab.pk, "cpu", label="<b>bold</b>")
    page = text(olga.get("/w/lab/compute/cpu/"))
    assert "cpu-1" in page
    assert "a node of STANDARD_D14_V2 gets" in page
    assert "Adding 1 node as 1 run waits." in page
    assert "<b>bold</b>" not in page


def test_the_scale_is_changed_and_a_mistake_is_said(olga, cluster):
    cluster()
    olga.post("/w/lab/compute/cpu/change", {"max_nodes": "5", "idle_seconds_before_scaledown": "30"})
    target = ComputeTarget.objects.get(name="cpu")
    assert (target.max_nodes, target.idle_seconds) == (5, 30)
    page = text(olga.post("/w/lab/compute/cpu/change", {"min_nodes": "9"}, follow=True))
    assert "min_nodes is 9 and max_nodes 5" in page


def test_a_target_without_work_is_gone_when_it_was_deleted(olga, cluster, django_capture_on_commit_callbacks):
    cluster()
    with django_capture_on_commit_callbacks(execute=True):
        olga.post("/w/lab/compute/cpu/delete")
    assert olga.get("/w/lab/compute/cpu/").status_code == 404


def test_local_is_not_deleted(olga):
    page = text(olga.post("/w/lab/compute/local/delete", follow=True))
    assert "can&#x27;t be deleted" in page


@pytest.mark.parametrize("path", ["", "new", "cpu/", "cpu/change", "cpu/delete"])
def test_a_reader_may_look_and_not_change(client, reader, cluster, path):
    cluster()
    client.force_login(reader)
    changes = path.endswith(("change", "delete"))
    response = client.post(f"/w/lab/compute/{path}") if changes else client.get(f"/w/lab/compute/{path}")
    assert response.status_code == (200 if path in ("", "cpu/") else 403)


@pytest.mark.parametrize("path", ["compute/", "compute/new", "compute/cpu/", "queue/", "runs/a/usage"])
def test_a_stranger_finds_nothing(client, stranger, cluster, path):
    cluster()
    client.force_login(stranger)
    assert client.get(f"/w/lab/{path}").status_code == 404


def sampled(workspace, run_id="a", count=3, **more):
    now = timezone.now()
    for i in range(count):
        UsageSample.objects.create(
            run_id=run_id, workspace_id=workspace.pk, node="cpu-1", at=now + timedelta(seconds=5 * i), cpu_percent=50 * i,
            memory_bytes=(i + 1) * 2**20, network_received=i * 10 * 2**20, **more,
        )  # fmt: skip


def test_what_a_run_used_is_drawn_with_the_numbers_behind_it(olga, lab):
    sampled(lab)
    page = text(olga.get("/w/lab/runs/a/usage"))
    assert "CPU in % of one core, cpu-1 now 100" in page
    assert "Network in MiB/s, cpu-1 received now 2" in page
    assert "every 10s" not in page, "a run that ended is not asked for again"


def test_a_targets_page_draws_what_its_jobs_use_and_gpus_only_where_there_are_some(olga, lab, cluster):
    target = cluster()
    sampled(lab, target_id=target.pk)
    page = text(olga.get("/w/lab/compute/cpu/"))
    assert "CPU in % of one core, cpu-1 now 100" in page and "GPU" not in page
    UsageSample.objects.all().delete()
    sampled(lab, target_id=target.pk, gpu_percent=87.5, gpu_memory_bytes=3 * 2**30)
    page = text(olga.get("/w/lab/compute/cpu/"))
    assert "GPU in %, cpu-1 now 87.5" in page and "GPU memory in MiB, cpu-1 now 3072" in page, page


def test_the_use_of_a_run_of_others_is_not_shown(olga, elsewhere):
    sampled(elsewhere)
    assert "polyline" not in text(olga.get("/w/lab/runs/a/usage"))
