// Pages live under /join by their place in app/; assets and the HMR WebSocket keep Next.js's own /_next.
export default {
  allowedDevOrigins: ['star-meet.com'],
}
