"""What stands on the shelf of the example shop."""

from __future__ import annotations

from dataclasses import dataclass

from nurture.clock import Dice
from nurture.demo.chance import pick, weighted, whole

SHOP_URL = "https://frunza.example"


@dataclass(frozen=True, slots=True)
class Product:
    """Something one can put into a basket. `price` is in euros."""

    sku: str
    name: str
    category: str  # green, black, oolong, herbal, ware
    price: float


SHELF: tuple[Product, ...] = (
    Product("SEN-100", "Sencha Yame", "green", 14.5),
    Product("GYO-50", "Gyokuro Uji", "green", 29.0),
    Product("GEN-100", "Genmaicha", "green", 11.0),
    Product("EAR-100", "Earl Grey Bergamote", "black", 9.9),
    Product("DAR-100", "Darjeeling Rohini", "black", 16.0),
    Product("LAP-100", "Lapsang Souchong", "black", 12.5),
    Product("TGY-100", "Tie Guan Yin", "oolong", 19.0),
    Product("DHP-50", "Da Hong Pao", "oolong", 24.0),
    Product("APU-80", "Apuseni", "herbal", 8.0),
    Product("TEI-60", "Tei & Tilleul", "herbal", 7.5),
    Product("ROO-100", "Rooibos Soare", "herbal", 8.9),
    Product("POT-60", "Samovar Petit, 60 cl", "ware", 48.0),
    Product("CUP-2", "Duo Porțelan", "ware", 22.0),
)

Item = dict[str, str | int | float]


def url(product: Product, locale: str) -> str:
    """The page of a product in a language the shop speaks."""
    return f"{SHOP_URL}/{locale}/p/{product.sku.lower()}"


def item(product: Product, quantity: int, locale: str) -> Item:
    """A line of a basket or an order, as the shop reports it. `price` is for one piece."""
    return {
        "sku": product.sku,
        "name": product.name,
        "url": url(product, locale),
        "category": product.category,
        "price": product.price,
        "quantity": quantity,
    }


def some_items(dice: Dice, locale: str) -> list[Item]:
    """One to four lines, no product twice."""
    wanted = weighted(dice, {1: 0.35, 2: 0.35, 3: 0.2, 4: 0.1})
    chosen: dict[str, Item] = {}
    while len(chosen) < wanted:
        product = pick(dice, SHELF)
        quantity = 1 if product.category == "ware" else whole(dice, 1, 3)
        chosen.setdefault(product.sku, item(product, quantity, locale))
    return list(chosen.values())


def total(items: list[Item]) -> float:
    """What a basket costs, in euros and cents."""
    return round(sum(float(line["price"]) * int(line["quantity"]) for line in items), 2)
