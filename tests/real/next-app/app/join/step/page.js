import { headers } from 'next/headers'

// Rendered per request: shows what the gateway told the application.
export default async function Step() {
  const seen = await headers()
  return (
    <main>
      <h1>wizard: step</h1>
      <p>{`host=${seen.get('host')} for=${seen.get('x-forwarded-for')} proto=${seen.get('x-forwarded-proto')}`}</p>
    </main>
  )
}
