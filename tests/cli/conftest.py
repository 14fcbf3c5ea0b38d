from tests.ecs.fixtures import fake, home, moto, moto_process

__all__ = ["fake", "home", "moto", "moto_process"]
