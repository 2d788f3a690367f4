"use strict";
(() => {
{% include "theme.js" %}

{% include "tables.js" %}

{% include "errors.js" %}

{{ browser }}
})();
