"""Outgoing connections are kept off the platform's ports, beside what the host reserves already."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils.reserved_ports import Reservation, parse, text_of


@pytest.fixture
def reservation(tmp_path: Path) -> Reservation:
    (tmp_path / "ip_local_reserved_ports").write_text("40000-40001\n")
    (tmp_path / "ip_local_port_range").write_text("32768\t60999\n")
    return Reservation(tmp_path, tmp_path / "sysctl.d" / "60-llm-platform.conf")


@pytest.mark.parametrize("text", ["", "8000", "50051-50055,50061-50062", "1,3,5-7"])
def test_the_kernels_way_to_write_ports_is_read_and_written(text: str) -> None:
    assert text_of(parse(f"{text}\n")) == text


def test_only_ports_in_the_range_of_outgoing_connections_are_reserved(reservation: Reservation) -> None:
    assert reservation.missing([8000, 50055, 50061]) == {50055, 50061}


def test_a_reservation_keeps_the_hosts_own_and_lasts_over_a_boot(reservation: Reservation) -> None:
    reservation.reserve({50055, 50061})
    assert reservation.now.read_text() == "40000-40001,50055,50061"
    assert "ip_local_reserved_ports = 40000-40001,50055,50061\n" in reservation.at_boot.read_text()
    assert reservation.missing([8000, 50055, 50061]) == set()


def test_a_reservation_that_a_boot_would_lose_is_made_again(reservation: Reservation) -> None:
    reservation.now.write_text("50055")
    assert reservation.missing([50055]) == {50055}
