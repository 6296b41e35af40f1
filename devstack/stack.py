"""The stack as a whole: what to start in which order, and how to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from devstack.errors import StackError
from devstack.home import one_at_a_time, prepare_home, require_disk
from devstack.progress import DONE, FAILED, WAITING, WORKING, Progress
from devstack.services import SERVICES, AirflowTriggererService, Service, all_services
from devstack.settings import Secrets, StackSettings


class Stack:
    """All services of one home folder."""

    def __init__(self, settings: StackSettings, progress: Progress) -> None:
        self.settings = settings
        self.progress = progress
        prepare_home(settings, progress.say)
        self.secrets = Secrets.load_or_create(settings)
        self.services = all_services(settings, self.secrets)

    def wanted(self, names: Collection[str] = ()) -> list[Service]:
        """The named services with all that they need, or every service that is switched on; needed ones first."""
        if unknown := set(names) - self.services.keys():
            raise StackError(
                f"There is no service {', '.join(sorted(unknown))}: choose from {', '.join(self.services)}."
            )
        chosen = set(names) or {
            name for name in self.services if name != AirflowTriggererService.name or self.settings.airflow_triggerer
        }
        for service in reversed(SERVICES):  # dependants come after what they need, so one pass backwards is enough
            if service.name in chosen:
                chosen |= set(service.needs)
        return [service for name, service in self.services.items() if name in chosen]

    def up(self, names: Collection[str] = ()) -> list[str]:
        """Start what does not run yet, wait until all of it is ready, and return the names that were started.

        If anything fails, whatever this call started is stopped again before the StackError is raised.
        """
        wanted = self.wanted(names)
        with one_at_a_time(self.settings, self.progress.say):
            require_disk(self.settings)
            missing = []
            for service in wanted:
                self.progress.update(service.name, WAITING, "")
                if not service.running():
                    missing.append(service)
            for service in missing:
                service.clear_leftovers()
            for service in missing:  # all ports are looked at before anything is started
                service.require_ports()
            return self._start(wanted, missing)

    def _start(self, wanted: list[Service], missing: list[Service]) -> list[str]:
        failed = threading.Event()
        ready = {service.name: threading.Event() for service in wanted}
        errors: list[StackError] = []
        started: list[Service] = []

        def bring_up(service: Service) -> None:
            for need in service.needs:
                while need in ready and not ready[need].wait(0.1):
                    if failed.is_set():
                        return
            if failed.is_set():
                return
            begun = time.monotonic()
            try:
                if service in missing:
                    self.progress.update(service.name, WORKING, "starting")
                    started.append(service)
                    service.start()
                try:
                    service.wait_ready(given_up=failed)
                except StackError:
                    if service in missing or service.running():
                        raise
                    # It ran a moment ago and ended with a killed server that it needs: it is started like the others.
                    missing.append(service)
                    started.append(service)
                    service.start()
                    service.wait_ready(given_up=failed)
            except Exception as error:
                first = not failed.is_set()
                failed.set()
                if first:
                    self.progress.update(service.name, FAILED, "failed")
                    errors.append(_as_stack_error(service, error))
                return
            verb = f"ready after {time.monotonic() - begun:.1f} s" if service in missing else "runs already"
            self.progress.update(service.name, DONE, verb if service.address == "-" else f"{verb}, {service.address}")
            ready[service.name].set()

        with ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="up") as pool:
            try:
                running = [pool.submit(bring_up, service) for service in wanted]
                for future in running:
                    future.result()
            except BaseException:  # Ctrl-C or SIGTERM: the threads end at their next look
                failed.set()
                pool.shutdown(wait=True)
                self._stop(started)
                raise
        if errors:
            self._stop(started)
            raise errors[0]
        return [service.name for service in missing]

    def down(self, names: Collection[str] = ()) -> list[str]:
        """Stop the named services, or all. Returns the names of those that ran."""
        if names:
            self.wanted(names)
        with one_at_a_time(self.settings, self.progress.say):
            return self._stop([service for name, service in self.services.items() if not names or name in names])

    def _stop(self, services: Iterable[Service]) -> list[str]:
        """Stop services, those that use others first."""
        stopped: list[str] = []
        left = list(services)
        while left:
            needed = {need for service in left for need in service.needs}
            wave = [service for service in left if service.name not in needed]
            left = [service for service in left if service not in wave]
            with ThreadPoolExecutor(max_workers=len(wave), thread_name_prefix="down") as pool:
                stopped += [name for name in pool.map(self._stop_one, wave) if name]
        return stopped

    def _stop_one(self, service: Service) -> str | None:
        runs = service.running()
        if runs:
            self.progress.update(service.name, WORKING, "stopping")
        begun = time.monotonic()
        if not service.stop():
            return None
        self.progress.update(service.name, DONE, f"stopped after {time.monotonic() - begun:.1f} s")
        return service.name


def _as_stack_error(service: Service, error: Exception) -> StackError:
    if isinstance(error, StackError):
        return error
    return StackError(f"{service.name} could not be started: {type(error).__name__}: {error}; see {service.log}.")
