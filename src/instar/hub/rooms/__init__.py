"""Rooms, threads, direct conversations and what is said in them."""

from .admission import Admission, Admitted
from .directory import Directory
from .policy import RoomPolicy
from .service import Rooms
from .state import RoomState

__all__ = ["Admission", "Admitted", "Directory", "RoomPolicy", "RoomState", "Rooms"]
