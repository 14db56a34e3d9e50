"""CronJobs of Kubernetes, from manifests or `kubectl get cronjobs -o yaml`.

Its controller reads schedules with robfig/cron, in `timeZone`, else in its own zone, which is UTC nearly
everywhere. A start that was missed is made up once, the newest; with `startingDeadlineSeconds` only so long.
`backoffLimit` (6) tries again after 10 s, twice as long each time, six minutes at most.
"""

from __future__ import annotations

from typing import Any

from cli.importing.containers import NOTE, docker_run
from cli.importing.found import Found, Source, UnreadableError, Wishes
from cli.importing.gathering import Gathering, NotTaken, name_of, seconds, zone_of
from cli.importing.items import Item, read_items
from cli.importing.schedules.robfig import robfig

_OVERLAP = {"Allow": "allow", "Forbid": "skip", "Replace": "terminate_running"}


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    seen = 0
    for source in sources:
        for document in read_items(source):
            listed = document.items("items") if document.text("kind").endswith("List") else [document]
            for item in listed:
                kind = item.text("kind")
                if kind != "CronJob":
                    gathering.note(
                        item.place("kind"), kind or "an object", "only objects of kind CronJob are read"
                    )
                    continue
                seen += 1
                metadata = item.item("metadata")
                with gathering.each(item.place(), f"CronJob {metadata.called('name')}"):
                    _cron_job(gathering, item, metadata)
    if not seen:
        raise UnreadableError(
            sources[0].name, "no object of kind CronJob", "kubectl get cronjobs -o yaml gives them."
        )
    return gathering.found()


def _cron_job(gathering: Gathering, item: Item, metadata: Item) -> None:
    item.passed("apiVersion", "status")
    metadata.passed(
        "uid",
        "resourceVersion",
        "generation",
        "managedFields",
        "selfLink",
        "labels",
        "annotations",
        "namespace",
    )
    if metadata.text("namespace", "default") != "default":
        gathering.note_once(
            item.place().file, "namespaces are not taken over: --namespace says where jobs go"
        )
    spec = item.item("spec")
    template = spec.item("jobTemplate").item("spec")
    spec.passed("successfulJobsHistoryLimit")
    trigger = _trigger(gathering, spec, metadata.text("creationTimestamp"))
    deadline = spec.number("startingDeadlineSeconds")
    policies: dict[str, Any] = {
        "overlap": _OVERLAP.get(spec.text("concurrencyPolicy", "Allow"), "allow"),
        "catchup": {"mode": "latest", "window": seconds(deadline) if deadline else "100d"},
    }
    if kept := spec.number("successfulJobsHistoryLimit"):
        policies["retention"] = {"runs": int(kept)}
    job = {
        "job": name_of(metadata.text("name")),
        "enabled": None if not spec.flag("suspend") else False,
        "triggers": [trigger],
        "policies": policies,
        **_work(gathering, template),
    }
    spec.passed("failedJobsHistoryLimit")
    gathering.take(item.place(), job)
    item.told(gathering)


def _trigger(gathering: Gathering, spec: Item, created: str) -> dict[str, Any]:
    place = spec.place("schedule")
    zoned = "timeZone" in spec
    read = robfig(spec.text("schedule"), zone_of(spec.text("timeZone", gathering.wishes.tz)))
    if not zoned and "tz" in read.trigger and not gathering.wishes.tz_given:
        gathering.note_once(
            place.file, "without timeZone the zone is the controller's: UTC was taken, --tz says otherwise"
        )
    for note in read.notes:
        gathering.note(place, spec.text("schedule"), note)
    if "every" in read.trigger:
        if created:
            read.trigger["start"] = created
        else:
            gathering.note(
                place,
                spec.text("schedule"),
                "it counted from the object's creation, which is not in the file",
            )
    return read.trigger


def _work(gathering: Gathering, template: Item) -> dict[str, Any]:
    pod = template.item("template").item("spec")
    template.item("template").item("metadata").passed("labels", "annotations", "creationTimestamp", "name")
    pod.passed(
        "restartPolicy", "dnsPolicy", "schedulerName", "terminationGracePeriodSeconds", "securityContext",
        "serviceAccount",
    )  # fmt: skip
    template.passed("completionMode", "manualSelector", "ttlSecondsAfterFinished")
    if (count := template.number("completions")) and count != 1:
        raise NotTaken(f"completions: {count:g}: make it a task with fanout", template.place("completions"))
    if (count := template.number("parallelism")) and count != 1:
        raise NotTaken(f"parallelism: {count:g}: make it a task with fanout", template.place("parallelism"))
    first = pod.items("initContainers")
    containers = pod.items("containers")
    if len(containers) != 1:
        raise NotTaken(
            f"{len(containers)} containers: one is taken, since tasks do not share a pod",
            pod.place("containers"),
        )
    tasks: dict[str, dict[str, Any]] = {}
    for container in [*first, *containers]:
        task: dict[str, Any] = {"exec": _command(gathering, container)}
        if tasks:
            task["needs"] = [list(tasks)[-1]]
        tasks[name_of(container.text("name", "main"))] = task
    retries = template.number("backoffLimit")
    retries = 6 if retries is None else retries
    if retries:
        last = list(tasks.values())[-1]
        last["retry"] = {"max": int(min(retries, 100)), "first": "10s", "cap": "6m"}
    timeout = template.number("activeDeadlineSeconds")
    work: dict[str, Any] = dict(next(iter(tasks.values()))) if len(tasks) == 1 else {"tasks": tasks}
    if timeout:
        gathering.note(
            template.place("activeDeadlineSeconds"),
            "activeDeadlineSeconds",
            "it counts each attempt here, not all of them",
        )
        for task in [work] if len(tasks) == 1 else tasks.values():
            task["timeout"] = seconds(timeout)
    return work


def _command(gathering: Gathering, container: Item) -> list[str]:
    container.passed(
        "imagePullPolicy",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "name",
        "securityContext",
        "ports",
    )
    env: dict[str, str] = {}
    for variable in container.items("env"):
        if "valueFrom" in variable:
            where = variable.place("valueFrom")
            variable.passed("valueFrom")
            gathering.note(
                where,
                variable.text("name"),
                "its value comes from elsewhere: put it as a secret, and name it",
            )
        else:
            env[variable.text("name")] = variable.text("value")
    if not (image := container.text("image")):
        raise NotTaken("a container without an image", container.place())
    gathering.note_once(container.place().file, NOTE)
    return docker_run(
        image, container.texts("command"), container.texts("args"), env, container.text("workingDir")
    )
