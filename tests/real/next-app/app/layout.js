import './style.css'

export const metadata = { title: 'StarMeet wizard' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
