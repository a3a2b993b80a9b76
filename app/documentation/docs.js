// Starts Swagger UI, which would otherwise need an inline script. All addresses are relative, for proxies with a prefix.

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the default sends the address of openapi.json to another host
});
