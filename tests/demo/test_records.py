from random import Random

from levo.demo import records


def test_equal_seeds_give_equal_shops() -> None:
    assert records.new_shop(Random(5)) == records.new_shop(Random(5))
    assert records.new_shop(Random(5)) != records.new_shop(Random(6))


def test_account_numbers_have_right_check_digits() -> None:
    """ISO 13616: moved to the end, letters as numbers, the whole is 1 modulo 97."""
    rng = Random(1)
    for _ in range(200):
        number = records.iban(rng)
        assert len(number) == 22
        assert int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1


def test_card_numbers_pass_the_luhn_check() -> None:
    for number in records.CARDS:
        digits = [int(digit) for digit in reversed(number)]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0


def test_personal_data_lies_in_ranges_that_belong_to_nobody() -> None:
    shop = records.new_shop(Random(3))
    for user in shop.users.values():
        assert str(user["email"]).rpartition("@")[2] in ("example.com", "example.org", "example.net")
        assert user["phone"] is None or str(user["phone"]).startswith(("+1-202-555-01", "+44 7700 900"))


def test_some_fields_are_null_and_some_absent() -> None:
    users = list(records.new_shop(Random(3)).users.values())

    assert {user["phone"] is None for user in users} == {True, False}
    assert {"dateOfBirth" in user for user in users} == {True, False}


def test_orders_refer_to_users_and_products_of_the_shop() -> None:
    shop = records.new_shop(Random(3))
    for order in shop.orders.values():
        assert order["userId"] in shop.users
        items = order["items"]
        assert isinstance(items, list) and items
        assert all(isinstance(item, dict) and item["productId"] in shop.products for item in items)
