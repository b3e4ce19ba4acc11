// The page begins here: which view is shown is in the address, so every view can be linked to.

import * as catalogue from "./catalogue.js";
import * as checkout from "./checkout.js";
import * as order from "./order.js";
import { byId } from "./elements.js";

const ORDER = /^#\/orders\/([0-9a-f-]+)$/;

function showView() {
  const [, id] = ORDER.exec(location.hash) ?? [];
  byId("shop").hidden = id !== undefined;
  byId("order").hidden = id === undefined;
  document.title = id === undefined ? "Bookshop" : "Order – Bookshop";
  window.scrollTo(0, 0);
  if (id !== undefined) {
    order.show(id);
  }
}

/** To the basket from wherever the reader is. */
function goToBasket(event) {
  event.preventDefault();
  if (byId("shop").hidden) {
    location.hash = "#/";
    showView();
  }
  checkout.goToBasket();
}

checkout.open();
byId("to-basket").addEventListener("click", goToBasket);
byId("skip").addEventListener("click", goToBasket);
window.addEventListener("hashchange", showView);
showView();
await catalogue.load();
checkout.showBasket();
